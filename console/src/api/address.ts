// Where things are, whatever prefix a proxy has put before them: the script's own address tells.

const SCRIPT = new URL(import.meta.url);
const BUILT = SCRIPT.pathname.lastIndexOf("/assets/");

/** The path of the console, with its slash at the end: `/console/`. */
export const CONSOLE = BUILT < 0 ? "/console/" : SCRIPT.pathname.slice(0, BUILT + 1);

/** What comes before the API's own paths: empty, or a proxy's prefix. */
export const ROOT = CONSOLE.replace(/\/console\/$/, "");

/** The API's address as a client elsewhere writes it. */
export const API = `${location.origin}${ROOT}/v1`;
