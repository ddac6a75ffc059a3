"""What people see: messages, progress, tables of run folders. Everything but results goes to standard error."""
