/* The page in an element: in a shadow tree, so that neither Airflow's style breaks it nor it Airflow's. */

import { render } from "preact";
import { App } from "./app";
import { STYLE } from "./style";
import { follow } from "./theme";

/** Where the page stands: on its own, or in Airflow beside a Dag, or a run and its tasks. */
export interface Place {
  embedded: boolean;
  dagId?: string | undefined;
  runId?: string | undefined;
}

/** Shows the page in `host`; returns how to take it away. */
export function mount(host: HTMLElement, place: Place): () => void {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE); // not a <style>, which a strict content policy forbids
  root.adoptedStyleSheets = [sheet];
  if (!place.embedded) document.adoptedStyleSheets = [bare()];
  host.toggleAttribute("data-embedded", place.embedded);
  const unfollow = follow((theme) => host.setAttribute("data-theme", theme));
  render(<App place={place} />, root);
  return () => {
    unfollow();
    render(null, root);
  };
}

/** A page of our own has no margin around us. */
function bare(): CSSStyleSheet {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("body { margin: 0; }");
  return sheet;
}
