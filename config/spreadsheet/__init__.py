"""A plant in CSV files, as spreadsheets save them: table -> cells, columns -> the data of tags and limits."""
