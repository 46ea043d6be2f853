"""What an issue asks for, how big it is, what it waits for, and which agent takes it."""
