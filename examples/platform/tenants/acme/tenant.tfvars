# Nothing but the common values yet.
