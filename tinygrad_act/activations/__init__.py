from .record import catalogue, activation
