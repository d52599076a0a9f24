import { type Authorizer, mayRetain } from './authorizer.ts';
import type { BrokerCore } from './broker-core.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';
import { unsubscribe } from './subscribing.ts';
import { withdrawDenied } from './withdrawal.ts';

/**
 * Makes what connected clients may do what it is now: asks the authorizer anew about each of them.
 *
 * A client that is not let in any more is told so and closed. Of the others, topics are looked at again at the next message,
 * subscriptions that are not allowed any more go, and so do a will and what waits to be sent. Clients that are away are looked at when they come back.
 */
export class AccessChanges {
  readonly #core: BrokerCore;
  readonly #sessions: Sessions;
  readonly #authorizer: Authorizer;

  constructor(core: BrokerCore, sessions: Sessions, authorizer: Authorizer) {
    this.#core = core;
    this.#sessions = sessions;
    this.#authorizer = authorizer;
  }

  /** @param principals whose access may have changed. Takes turns with everything else. Never rejects. */
  async apply(principals: ReadonlySet<string> | 'all'): Promise<void> {
    if (this.#authorizer.renew === undefined) return;
    const affected = [...this.#sessions.values()].filter(
      ({ connection, principal }) => connection !== undefined && (principals === 'all' || principals.has(principal.id)),
    );
    for (let start = 0; start < affected.length; start += AT_ONCE) {
      await Promise.all(affected.slice(start, start + AT_ONCE).map(async (session) => await this.#renew(session)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (affected.length > 0) this.#core.subscriptions.reconsider();
  }

  async #renew(session: Session): Promise<void> {
    const { connection, principal } = session;
    try {
      const renewed = await this.#authorizer.renew?.(principal);
      // It may have gone, or come back as somebody else, meanwhile.
      if (renewed === undefined || connection === undefined || session.connection !== connection) return;
      if (session.principal !== principal) return;
      const isSame = !('refused' in renewed) && renewed.sessionNamespace === principal.sessionNamespace;
      if (!isSame) {
        connection.close('access-withdrawn');
        return;
      }
      session.principal = renewed;
      connection.accessChanged();
      const denied = [...session.subscriptions.keys()].filter((filter) => !renewed.maySubscribe(filter));
      if (denied.length > 0) {
        unsubscribe(this.#core, session, denied);
        this.#core.watch.unsubscribed(session, connection, denied);
      }
      withdrawDenied(session);
      const { will } = session;
      if (will !== undefined && !(renewed.mayPublish(will.topic) && (!will.retain || mayRetain(renewed, will.topic))))
        this.#sessions.withdrawWill(session);
    } catch (error) {
      // What it may do is not known: that is no reason to let it go on.
      this.#core.ends.write('error', 'authorizer-failed', { err: error, client: session.clientId });
      if (session.connection === connection) connection?.close('access-withdrawn');
    }
  }
}

const AT_ONCE = 64;
