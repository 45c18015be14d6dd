const axios = require("axios");
const template = require("lodash/template");

async function show(number) {
  const { data } = await axios.get(`/?number=${number}`);
  document.querySelector("main").innerHTML = template(data)({ number });
}

show(new URLSearchParams(location.search).get("number"));
