"""Recipes as data, their library, and the run of one."""
