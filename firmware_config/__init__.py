"""Board profiles, schemas and templates: data first, code only to find it."""
