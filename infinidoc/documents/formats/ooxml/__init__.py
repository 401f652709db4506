"""What Word, Excel and PowerPoint files have in common (ECMA-376): packages of XML parts, and drawings."""
