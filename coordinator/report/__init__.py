"""What people see: the comment, the pull request, the job summary, the statuses, the outputs."""
