"""Photographs through the shipped workflows whose models a machine has."""
