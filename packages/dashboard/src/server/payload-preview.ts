const LONGEST = 160;

/** One line of a payload: control characters are escaped as in JSON, what is too long is cut. */
export function previewOf(payload: string): string {
  const line = payload.slice(0, LONGEST + 1).replace(/\p{Cc}/gu, escaped);
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
}

function escaped(character: string): string {
  const quoted = JSON.stringify(character).slice(1, -1);
  return quoted === character ? `\\u00${character.charCodeAt(0).toString(16)}` : quoted;
}
