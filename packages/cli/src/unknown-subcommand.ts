/**
 * What stands behind a command that has a default (`selsyn archive` is `selsyn archive status`) and is none of its commands goes to the default,
 * which takes nothing: commander then speaks of a command that nobody has typed.
 */
const EXCESS = /^error: too many arguments for '([\w-]+)'\. Expected 0 arguments but got \d+: ([^,\n]+?)(?:, [^\n]*)?\.\n/;

/** The text of commander's error, of what was typed. @param typed the arguments of the program */
export function aboutTyped(text: string, typed: readonly string[]): string {
  const [, command, first] = EXCESS.exec(text) ?? [];
  if (command === undefined || typed.includes(command)) return text;
  return text.replace(EXCESS, `error: unknown command '${first}'\n`);
}
