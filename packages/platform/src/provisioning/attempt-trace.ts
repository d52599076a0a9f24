/** What was done for one who wants to enrol, step by step, for an operator to read: `CSR accepted · serial not in manifest · refused`. */
export class AttemptTrace {
  readonly #steps: string[];

  constructor(steps: readonly string[] = []) {
    this.#steps = [...steps];
  }

  /** @param text in lower case but for names, without a full stop. */
  step(text: string): void {
    if (this.#steps.length < MAX_STEPS) this.#steps.push(cut(text));
  }

  get steps(): readonly string[] {
    return this.#steps;
  }
}

const MAX_STEPS = 32;
const MAX_STEP_LENGTH = 240;

/** What devices say of themselves goes into steps: no control characters, no length. */
function cut(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is taken out
  const plain = text.toWellFormed().replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '\ufffd');
  return plain.length <= MAX_STEP_LENGTH ? plain : `${plain.slice(0, MAX_STEP_LENGTH - 1).toWellFormed()}…`;
}

/** How they are shown in one line. */
export function traceLine(steps: readonly string[]): string {
  return steps.join(' · ');
}
