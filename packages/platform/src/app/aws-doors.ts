import type { AuditTrail } from '../audit/audit-trail.ts';
import type { DirectMessage, DirectOutcome } from '../broker/direct-message.ts';
import { slotOf } from '../bus/slot.ts';
import type { Database, StateDatabase } from '../database/schema.ts';
import { type AwsRoutesDependencies, type AwsStateCalls } from '../gateways/http/aws/aws-routes.ts';
import { deviceOfTopic } from '../gateways/http/aws/device-of-topic.ts';
import type { Connections, DirectSending, Messaging } from '../gateways/http/aws/messaging.ts';
import { RequestAuthorizer } from '../identity/request-authorizer.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Caller } from '../kernel/thread-channel.ts';
import { AccessKeyLookup } from '../people/access-key-lookup.ts';
import type { People } from '../people/people.ts';
import type { DeviceStore } from '../registry/device-store.ts';
import type { Sealer } from '../secrets/sealer.ts';
import { ShadowStore } from '../shadows/shadow-store.ts';
import type { GatewayCalls } from './gateway-thread.ts';
import type { IdentityServices } from './identity-services.ts';
import type { ThreadClients } from './thread-clients.ts';

/** What is asked of each gateway thread. */
export interface MessagingThread {
  readonly calls: { call: Caller<GatewayCalls>['call'] };
}

/** An acknowledgement may take so much longer than it is waited for until it is known here. */
const CONFIRM_SLACK_MS = 5_000;

/** What AWS's interface of HTTP needs. */
export function awsRoutesDependencies(options: {
  readonly database: Database;
  readonly state: { readonly calls: Caller<AwsStateCalls>; readonly reader: StateDatabase };
  readonly sealer: Sealer;
  readonly devices: Pick<DeviceStore, 'groupOf'>;
  readonly identity: Pick<IdentityServices, 'enrolment' | 'pki'>;
  readonly audit: AuditTrail;
  readonly clients: ThreadClients;
  readonly threads: readonly MessagingThread[];
  readonly maxPayloadBytes: number;
  readonly clock: Clock;
  readonly people: Pick<People, 'sealedCursors'>;
  readonly logLines: LogLines;
}): AwsRoutesDependencies {
  const { database, state, sealer, devices, identity, audit, clients, threads, maxPayloadBytes, clock, people, logLines } =
    options;
  const { enrolment, pki } = identity;
  const noted = (error: unknown): void => logLines.error({ err: error }, 'a certificate of a request could not be looked after');
  return {
    state: state.calls,
    shadowStore: new ShadowStore(state.reader),
    accessKeys: new AccessKeyLookup({ database, clock, sealer }),
    authorizer: new RequestAuthorizer({
      database,
      clock,
      desk: {
        firstUsed: (id) => void pki.certificates.credentialUsed(id).catch(noted),
        registerJustInTime: async (der) => {
          try {
            return await enrolment.justInTime.register(der);
          } catch (error) {
            noted(error);
            return false;
          }
        },
      },
    }),
    devices,
    messaging: messagingOf(threads),
    connections: connectionsOf(clients, threads),
    audit,
    maxPayloadBytes,
    clock,
    cursors: people.sealedCursors,
    logLines,
  };
}

/** Messages of one device go by one thread, so that they stay in their order. */
function messagingOf(threads: readonly MessagingThread[]): Messaging {
  const threadOf = (topic: string): MessagingThread => {
    const thread = threads[slotOf(deviceOfTopic(topic) ?? topic) % threads.length];
    if (thread === undefined) throw new SelsynError('server.not-ready', 'no gateway is there yet', { retryable: true });
    return thread;
  };
  return {
    publish: async (publication) => await threadOf(publication.topic).calls.call('publishVisitor', publication),
    retained: async (topic) => await threadOf(topic).calls.call('findRetained', topic),
    // Each thread has them all.
    listRetained: async (page) => await threadOf('').calls.call('listRetained', page),
  };
}

function connectionsOf(clients: ThreadClients, threads: readonly MessagingThread[]): Connections {
  return {
    find: async (clientId) => await clients.find(clientId),
    disconnect: async (clientId, session, principals, withWill) =>
      await clients.disconnect(clientId, session, principals, withWill),
    sendDirect: async (sending) => {
      const direct = directOf(sending);
      const deadlineMs = direct.timeoutMs + CONFIRM_SLACK_MS;
      // A client is connected to one of them.
      const outcomes = await Promise.all(threads.map(async ({ calls }) => await calls.call('sendDirect', direct, deadlineMs)));
      return outcomes.find((outcome: DirectOutcome) => outcome !== 'no-client') ?? 'no-client';
    },
  };
}

function directOf({ clientId, principals, topic, payload, properties, confirmMs }: DirectSending): DirectMessage {
  const qos = confirmMs === undefined ? 0 : 1;
  return { clientId, principals, message: { topic, payload, properties, qos, retain: false }, timeoutMs: confirmMs ?? 0 };
}
