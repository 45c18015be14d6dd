"""A stand-in for ZAP: its launch contract, a spider, some of its rules, its reports."""
