"""What has happened: the call log, the timeline, the series of each uplink."""
