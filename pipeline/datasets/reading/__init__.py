"""What converters share: files, tables and archives of official layouts, read within bounds."""
