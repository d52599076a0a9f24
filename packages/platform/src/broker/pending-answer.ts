import type { QoS } from '@selsyn/wire/mqtt/packets.ts';
import { Completion } from './completion.ts';

/** Whoever gives the answer. */
interface Answerer {
  /** Some answer is known. */
  answerPending(): void;
}

/** The PUBACK or PUBREC of one message, while it is not known what it will say or while others stand before it. */
export class PendingAnswer extends Completion {
  readonly packetId: number;
  readonly qos: QoS;
  inbound: Answerer;
  /** Whether it was written to the store that its packet id is taken. */
  isStored = false;
  /** Once known. */
  code: number | undefined;
  /** Called when it is known, before it is given. */
  onKnown: ((code: number) => void) | undefined;

  constructor(inbound: Answerer, packetId: number, qos: QoS) {
    super();
    this.inbound = inbound;
    this.packetId = packetId;
    this.qos = qos;
  }

  protected override complete(code: number): void {
    this.code = code;
    this.onKnown?.(code);
    this.inbound.answerPending();
  }
}
