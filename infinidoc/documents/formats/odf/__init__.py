"""What OpenDocument texts, spreadsheets and presentations have in common."""
