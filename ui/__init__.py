"""What the pages of the application share: the server, who may do what, words in two languages, text shown as text, long work."""
