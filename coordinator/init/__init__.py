"""What a repository needs so that issues in it can be worked on: the workflow and a commented configuration."""
