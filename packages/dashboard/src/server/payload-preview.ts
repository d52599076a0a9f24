const LONGEST = 160;

/** One line of a payload: control characters are escaped as in JSON, what is too long is cut. */
export function previewOf(payload: string): string {
  const line = payload.slice(0, LONGEST + 1).replace(/[\u0000-\u001f\u007f]/g, escaped);
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
}

function escaped(character: string): string {
  return character === '\u007f' ? '\\u007f' : JSON.stringify(character).slice(1, -1);
}
