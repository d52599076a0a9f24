import type { PacketMark, PeerId } from '../bus/bus.ts';
import type { MessageMark, SessionNumber } from '../session-store/session-store.ts';

/** The mark of a QoS 2 message that is being delivered, or of which its publisher's home knows that it was. */
export class Mark implements MessageMark, PacketMark {
  readonly origin: string;
  readonly session: SessionNumber;
  readonly packetId: number;
  again: boolean;
  /** Threads that may have it stored, besides the home of its publisher. */
  readonly peers: PeerId[] = [];
  /** Shared groups of which a member in another thread has it. */
  readonly groups: string[] = [];

  constructor({ origin, session, packetId }: MessageMark, again: boolean) {
    this.origin = origin;
    this.session = session;
    this.packetId = packetId;
    this.again = again;
  }

  addPeer(peer: PeerId): void {
    if (!this.peers.includes(peer)) this.peers.push(peer);
  }

  addGroup(group: string): void {
    if (group !== '' && !this.groups.includes(group)) this.groups.push(group);
  }
}
