// Whoever is logged in by cookie may change things from here, too: their CSRF token goes along.
function csrfToken() {
  const cookie = document.cookie.split("; ").find((each) => each.startsWith("streamweave_csrf="));
  return cookie === undefined ? undefined : cookie.slice(cookie.indexOf("=") + 1);
}

SwaggerUIBundle({
  url: "/schema/openapi.json",
  dom_id: "#swagger",
  deepLinking: true,
  docExpansion: "none",
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  requestInterceptor: (request) => {
    const token = csrfToken();
    if (token !== undefined && request.headers !== undefined) {
      request.headers["X-CSRF-Token"] = token;
    }
    return request;
  },
});
