// Starts Swagger UI on what the page's element says: no inline script, no validator elsewhere.
const element = document.getElementById("documents");

window.ui = SwaggerUIBundle({
  dom_id: "#documents",
  urls: JSON.parse(element.dataset.documents),
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  layout: "StandaloneLayout",
  validatorUrl: null,
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
});
