"""The rules of a bundle, all pure: who may pass, what schedules and declarations ask of doors. No I/O, no clock."""
