"""The webhook relay: takes signed webhooks of a forge and has them worked on. Needs the extra `webhook`."""
