"""The machine agent: one program a machine and app, which registers units and keeps the registrations true."""
