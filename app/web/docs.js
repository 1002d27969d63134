// Starts Swagger UI on our own document. Tokens stay when the page is loaded again; nothing is asked of anybody else.
// The document's examples name screening 1. What the forms are filled with is on sale now: that is asked, not remembered.

const SHOWN_OF_A_STREAM_MS = 3000;

async function onSale() {
  const listed = await fetch(`/api/v1/screenings?from=${new Date().toISOString()}&limit=200`);
  const open = listed.ok ? (await listed.json()).items.filter((screening) => screening.on_sale) : [];
  return open.find((screening) => screening.theater_id === 1) ?? open[0];
}

function fillIn(openapi, screening) {
  const ids = { screening_id: screening.id, theater_id: screening.theater_id };
  for (const operation of Object.values(openapi.paths).flatMap(Object.values)) {
    for (const parameter of operation.parameters ?? []) {
      if (parameter.in === "path" && parameter.name in ids) parameter.example = ids[parameter.name];
    }
    for (const { examples } of Object.values(operation.requestBody?.content ?? {})) {
      for (const { value } of Object.values(examples ?? {})) {
        for (const name of Object.keys(ids)) if (name in value) value[name] = ids[name];
      }
    }
  }
}

// Swagger UI shows a closed lock where a call works without a token, as if somebody had signed in. Without the empty
// requirement the lock is open until somebody does; the description says that no token is needed.
function openTheLocks(openapi) {
  for (const operation of Object.values(openapi.paths).flatMap(Object.values)) {
    operation.security = operation.security?.filter((needed) => Object.keys(needed).length > 0);
  }
}

async function forThisPage(response) {
  if (response.ok && response.url.endsWith("/openapi.json")) {
    const openapi = JSON.parse(response.text);
    openTheLocks(openapi);
    const screening = await onSale().catch(() => undefined);
    if (screening) fillIn(openapi, screening);
    response.text = JSON.stringify(openapi);
  }
  return response;
}

// Swagger UI shows an answer when it has ended, and a stream of events never does: its first seconds are shown.
async function untilItEnds(url, request) {
  const response = await fetch(url, request);
  if (response.headers.get("content-type") !== "text/event-stream") return response;
  const reader = response.body.getReader();
  setTimeout(() => reader.cancel(), SHOWN_OF_A_STREAM_MS);
  const parts = [];
  for (let part = await reader.read(); !part.done; part = await reader.read()) parts.push(part.value);
  return new Response(new Blob(parts), response);
}

window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "list",
  displayRequestDuration: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  requestInterceptor: (request) => Object.assign(request, { userFetch: untilItEnds }),
  responseInterceptor: forThisPage,
});
