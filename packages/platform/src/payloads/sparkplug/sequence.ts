/** Numbers of a node's messages: 0 to 255, and 0 again (Sparkplug 3.0.0, section 6.4.5). */
const NUMBERS = 256;

/** What is counted of a node since the start of this process. */
export class NodeCounts {
  /** Of its last message; undefined: nothing is known yet. */
  seq: number | undefined;
  /** Times that a message did not have the number after that of the one before. */
  gaps = 0;
  /** Messages that are missing by their numbers; less than so many multiples of 256. */
  missing = 0;
  messages = 0;
  refused = 0;
  rebirths = 0;
  lastMs = 0;

  /** @returns whether it is the number that was expected */
  next(seq: number): boolean {
    const expected = this.seq === undefined ? seq : (this.seq + 1) % NUMBERS;
    // The same one again is a message that was sent twice (or a node that does not count): nothing is missing.
    if (seq === expected || seq === this.seq) {
      this.seq = seq;
      return true;
    }
    this.seq = seq;
    this.gaps++;
    this.missing += (seq - expected + NUMBERS) % NUMBERS;
    return false;
  }
}
