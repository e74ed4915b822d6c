// Starts Swagger UI, in a file of its own: the page's policy allows no script inside the page.
// The API stands beside this file's folder, wherever a proxy has put it.
const root = new URL("..", document.currentScript.src).href.replace(/\/$/, "");

fetch(`${root}/openapi.json`)
  .then((answer) => answer.json())
  .then((spec) =>
    SwaggerUIBundle({
      spec: { ...spec, servers: [{ url: root }] },
      dom_id: "#api",
      deepLinking: true,
      // Or else the document's address would be told to a server of Swagger UI's makers.
      validatorUrl: null,
    }),
  );
