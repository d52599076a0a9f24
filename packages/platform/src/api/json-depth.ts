import { SelsynError } from '../kernel/errors.ts';

/** No document of ours is nearly as deep. What is far deeper can be parsed, but neither sent to another thread nor walked through. */
export const MAX_JSON_LEVELS = 64;

/** @throws SelsynError `request.invalid` for a text, as JSON or GraphQL, whose arrays and objects stand in each other too deep. O(length) */
export function checkJsonDepth(text: string, maxLevels: number = MAX_JSON_LEVELS): void {
  let levels = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfText(text, at);
        break;
      case BRACE:
      case BRACKET:
        if (++levels > maxLevels) {
          throw new SelsynError('request.invalid', `it is more than ${maxLevels} levels deep`);
        }
        break;
      case END_BRACE:
      case END_BRACKET:
        levels--;
        break;
      default:
    }
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACKET = 0x5b;
const END_BRACKET = 0x5d;
const BRACE = 0x7b;
const END_BRACE = 0x7d;

/** Where the text ends that begins with the quote at `at`; the end of all where it does not end. */
function endOfText(text: string, at: number): number {
  for (let end = at + 1; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === QUOTE) return end;
    if (code === BACKSLASH) end++;
  }
  return text.length;
}
