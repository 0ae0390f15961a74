"""Units that may follow a number, by every spelling: what `NumberFormat.units` compares. Nothing is converted."""

from __future__ import annotations

from typing import Final

__all__ = ["UNITS"]

_SPELLINGS: Final = {
    "nm": "nm",
    "mm": "mm millimeter millimeters millimetre millimetres",
    "cm": "cm centimeter centimeters centimetre centimetres",
    "m": "m meter meters metre metres",
    "km": "km kilometer kilometers kilometre kilometres",
    "in": "inch inches",
    "ft": "ft foot feet",
    "yd": "yd yard yards",
    "mi": "mi mile miles",
    "mg": "mg milligram milligrams",
    "g": "g gram grams",
    "kg": "kg kilogram kilograms",
    "t": "ton tons tonne tonnes",
    "oz": "oz ounce ounces",
    "lb": "lb lbs pound pounds",
    "ml": "ml mL milliliter milliliters millilitre millilitres",
    "l": "l L liter liters litre litres",
    "gal": "gal gallon gallons",
    "ms": "ms millisecond milliseconds",
    "s": "s sec secs second seconds",
    "min": "min mins minute minutes",
    "h": "h hr hrs hour hours",
    "d": "day days",
    "wk": "week weeks",
    "mo": "month months",
    "yr": "yr yrs year years",
    "deg": "° degree degrees",
    "degC": "°C",
    "degF": "°F",
    "K": "K kelvin",
    "Hz": "Hz",
    "kHz": "kHz",
    "MHz": "MHz",
    "GHz": "GHz",
    "W": "W watt watts",
    "kW": "kW kilowatt kilowatts",
    "J": "J joule joules",
    "kJ": "kJ",
    "N": "N newton newtons",
    "V": "V volt volts",
    "A": "ampere amperes",
    "Pa": "Pa",
    "kB": "kB KB",
    "MB": "MB",
    "GB": "GB",
    "TB": "TB",
    "km/h": "km/h kph kmh",
    "m/s": "m/s",
    "mph": "mph",
    "$": "dollar dollars USD",
    "€": "euro euros EUR",
    "£": "GBP",
    "¢": "¢ cent cents",
}

UNITS: Final = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings.split()}
"""Name of the unit by spelling."""
