"""Problems whose labels are proved before they are written, as a function of (seed, number)."""
