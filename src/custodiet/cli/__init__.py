"""The command: one thin file per subcommand; parsing and printing only, the work is done by the rooms below."""
