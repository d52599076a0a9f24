import type { MessagePort } from 'node:worker_threads';
import type { BusPacket, PeerId, Receipt } from '../../bus.ts';
import { type BatchReader, type NoteKind, PacketBatch, readBatch } from './packet-batch.ts';
import { Receipts } from './receipts.ts';

/** Whoever hears what a peer sends. */
export interface PeerListener {
  onPacket(link: PeerLink, packet: BusPacket, answer: ((code: number) => void) | undefined): void;
  onNote(link: PeerLink, kind: NoteKind, text: string, number: number): void;
  /** There is something to `post` at the end of this turn. */
  onGathered(): void;
  /** `waitingBytes` has become less. */
  onTaken(): void;
  onGone(link: PeerLink): void;
}

/**
 * One end of what joins two threads: gathers what goes to the peer, and knows what the peer has not worked through.
 *
 * Each entry that was sent, and each receipt that is owed, counts as waiting; how much may wait is for its owner to say.
 */
export class PeerLink implements BatchReader {
  readonly id: PeerId;
  readonly #port: MessagePort;
  readonly #listener: PeerListener;
  readonly #batch = new PacketBatch();
  readonly #receipts = new Receipts();
  #waitingBytes = 0;
  #gone = false;

  constructor(id: PeerId, port: MessagePort, listener: PeerListener) {
    this.id = id;
    this.#port = port;
    this.#listener = listener;
  }

  /** Bytes sent to it, and gathered for it, that it has not worked through, and those that stand for receipts. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** Starts to hear: what came before waited in the port. */
  open(): void {
    this.#port.on('message', (batch: Uint8Array) => this.#hear(batch));
    this.#port.on('close', () => this.#lose());
  }

  packet(packet: BusPacket, receipt: Receipt | undefined): void {
    const number = receipt === undefined ? 0 : this.#receipts.add(receipt);
    this.#waitingBytes += this.#batch.packet(packet, number) + (number === 0 ? 0 : RECEIPT_BYTES);
    this.#listener.onGathered();
  }

  note(kind: NoteKind, text: string, number: number): void {
    if (this.#gone) return;
    this.#waitingBytes += this.#batch.note(kind, text, number);
    this.#listener.onGathered();
  }

  /** Hands over what was gathered. */
  post(): void {
    if (this.#batch.isEmpty) return;
    const batch = this.#batch.take();
    this.#port.postMessage(batch, [batch.buffer]);
  }

  /** @returns the receipts that nobody will answer now. */
  close(): Receipt[] {
    this.#gone = true;
    this.#port.close();
    return this.#forget();
  }

  onPacket(packet: BusPacket, receipt: number): void {
    this.#listener.onPacket(this, packet, receipt === 0 ? undefined : this.#answerTo(receipt));
  }

  onNote(kind: NoteKind, text: string, number: number): void {
    this.#listener.onNote(this, kind, text, number);
  }

  onAnswer(number: number, code: number): void {
    if (this.#gone) return; // it was closed while this batch was read
    const receipt = this.#receipts.take(number);
    this.#waitingBytes -= RECEIPT_BYTES;
    receipt.answered(code);
  }

  onTaken(bytes: number): void {
    if (this.#gone) return;
    this.#waitingBytes -= bytes;
  }

  /**
   * A function for each packet: one that was used again could not tell that somebody calls it twice, and would answer for a packet
   * that is not safe.
   */
  #answerTo(receipt: number): (code: number) => void {
    let answered = false;
    return (code) => {
      if (answered) throw new Error('A packet of the bus was answered twice');
      answered = true;
      if (this.#gone) return;
      this.#batch.answer(receipt, code);
      this.#listener.onGathered();
    };
  }

  #hear(batch: Uint8Array): void {
    if (this.#gone) return;
    const paid = readBatch(batch, this);
    if (paid > 0 && !this.#gone) {
      this.#batch.taken(paid);
      this.#listener.onGathered();
    }
    this.#listener.onTaken();
  }

  #lose(): void {
    if (this.#gone) return;
    this.#gone = true;
    const owed = this.#forget();
    this.#listener.onGone(this);
    for (const receipt of owed) receipt.answered(UNSPECIFIED_ERROR);
  }

  #forget(): Receipt[] {
    this.#batch.clear();
    this.#waitingBytes = 0;
    return this.#receipts.takeAll();
  }
}

/** What nobody can answer any more was not done, for all one knows: Unspecified error. */
export const UNSPECIFIED_ERROR = 0x80;
/** What a receipt that is owed counts, so that they have a bound too. About what it takes in memory. */
const RECEIPT_BYTES = 32;
