//! Secrets and the field type: values that nobody can read from the files, rotation, wrong keys.
