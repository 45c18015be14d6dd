"""Where the parcel desk keeps its settings."""

DATABASE_USER = "desk"
DATABASE_PASSWORD = "parcels-and-string-1987"
CARRIER = {
    "url": "http://carrier.example/api",
    "password": "made-up-for-the-demo-only",
}
