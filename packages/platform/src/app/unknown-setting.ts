/**
 * Says that there is no such setting, and which was likely meant: those alike, the nearest first; else those of its section; else all.
 *
 * @param keys every setting in dotted form, as `mqtt.port`
 */
export function unknownSetting(key: string, keys: readonly string[]): string {
  const section = `${key.split('.')[0]}.`;
  const alike = keys.filter((known) => isAlike(key, known));
  const near = alike.length > 0 ? alike : keys.filter((known) => key.includes('.') && known.startsWith(section));
  if (near.length === 0) return `there is no setting ${key}; settings are ${keys.join(', ')}`;
  const nearest = near.toSorted((a, b) => editDistance(key, a) - editDistance(key, b)).slice(0, MAX_PROPOSED);
  return `there is no setting ${key} (did you mean ${nearest.join(', ')}?)`;
}

const MAX_PROPOSED = 5;
/** Two letters that changed places are two edits. */
const MAX_SLIPS = 2;

function isAlike(key: string, known: string): boolean {
  const [mine, its] = [lastPart(key), lastPart(known)];
  return its.includes(mine) || mine.includes(its) || editDistance(key, known) <= MAX_SLIPS;
}

function lastPart(key: string): string {
  return key.slice(key.lastIndexOf('.') + 1).toLowerCase();
}

/** How many letters must be put in, left out or exchanged to make one text of the other (Levenshtein); time is the product of the lengths. */
function editDistance(from: string, to: string): number {
  let before = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 0; i < from.length; i += 1) {
    const row = [i + 1];
    for (let j = 0; j < to.length; j += 1) {
      row.push(Math.min(before[j]! + (from[i] === to[j] ? 0 : 1), before[j + 1]! + 1, row[j]! + 1));
    }
    before = row;
  }
  return before[to.length]!;
}
