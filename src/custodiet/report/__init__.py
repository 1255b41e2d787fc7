"""Records become one self-contained HTML file, or Markdown for a model card."""
