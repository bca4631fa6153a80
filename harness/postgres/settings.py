"""Settings for a server whose data does not outlive the run, whichever provider starts it."""

__all__ = ["VOLATILE"]

VOLATILE: dict[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "max_connections": "1000",
    "jit": "off",
    # A vacuum worker in a template would delay its clones, and clones do not live long enough to need one.
    "autovacuum": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %d %a ",
    "log_min_messages": "warning",
    "log_min_error_statement": "error",
    "log_checkpoints": "off",
}
