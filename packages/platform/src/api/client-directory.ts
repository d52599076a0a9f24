import { z } from 'zod';

const closeSchema = z
  .object({
    reason: z.string().describe('For a program, as `keep-alive`.'),
    text: z.string().describe('For people.'),
    code: z.number().optional().describe('The reason code that the client was, or would have been, told.'),
    atMs: z.number(),
  })
  .describe('Why a connection ended.');

const denialSchema = z
  .object({
    action: z.enum(['connect', 'publish', 'subscribe']),
    subject: z.string().describe('The topic, the filter, or for `connect` why.'),
    code: z.number(),
    text: z.string().describe('The code with its name.'),
    count: z.number(),
    lastAtMs: z.number(),
  })
  .describe('What a client asked for and was refused.');

export const clientSchema = z
  .object({
    clientId: z.string(),
    principalId: z.string().describe('Who it signed in as; empty where it was never let in.'),
    state: z
      .enum(['connected', 'offline', 'gone'])
      .describe('`offline`: its session waits for it. `gone`: it has no session and is only remembered.'),
    protocol: z.enum(['3.1.1', '5.0']).optional(),
    door: z.enum(['tcp', 'tls', 'ws', 'wss', 'unix']).optional().describe('By which listener it came in.'),
    remoteAddress: z.string().optional(),
    sinceMs: z.number().optional().describe('Since when it is in this state; absent: since before the server started.'),
    persistent: z.boolean().describe('Whether its session outlives its connection.'),
    subscriptions: z.number(),
    queuedMessages: z.number().describe('Messages that wait for its window, its socket or its return.'),
    inFlight: z.number().describe('Messages that it was sent and has not acknowledged.'),
    lastClose: closeSchema.optional(),
  })
  .describe('An MQTT client.');

export const clientDetailSchema = clientSchema
  .extend({
    keepAliveSec: z.number().describe('0: none.'),
    sessionExpirySec: z.number().describe('How long its session is kept without it.'),
    receiveMaximum: z.number().describe('Messages that it takes unacknowledged.'),
    queuedBytes: z.number(),
    willTopic: z.string().optional(),
    filters: z.array(z.object({ filter: z.string(), qos: z.number() })),
    messagesReceived: z.number().describe('PUBLISH packets from it in this connection.'),
    messagesSent: z.number().describe('PUBLISH packets to it in this connection.'),
    messagesDropped: z.number().describe('Messages for it that were dropped since its session began.'),
    closes: z.array(closeSchema).describe('The last ones, the newest last.'),
    denials: z.array(denialSchema).describe('The last ones, the newest last.'),
  })
  .describe('An MQTT client in detail.');

export const clientPageSchema = z
  .object({
    items: z.array(clientSchema),
    cursor: z.string().optional().describe('Present when there are more.'),
    totals: z
      .object({ connected: z.number(), offline: z.number() })
      .optional()
      .describe('Of all clients, whatever was asked for. Absent for callers who do not see all groups.'),
  })
  .describe('A page of clients, ordered by client id.');

export type ClientJson = z.output<typeof clientSchema>;
export type ClientDetailJson = z.output<typeof clientDetailSchema>;
export type ClientCloseJson = z.output<typeof closeSchema>;
export type ClientDenialJson = z.output<typeof denialSchema>;
export type ClientPageJson = z.output<typeof clientPageSchema>;

export interface ClientQuery {
  readonly prefix: string;
  /** `offline` is every one that is not connected. */
  readonly state: 'connected' | 'offline' | undefined;
  readonly limit: number;
  readonly cursor: string | undefined;
}

/** The MQTT clients of all threads. */
export interface ClientDirectory {
  /** @throws SelsynError `request.invalid` for a cursor that is none */
  list(query: ClientQuery): Promise<ClientPageJson>;
  /** The clients with this id, mostly one: devices with different credentials may use the same. */
  find(clientId: string): Promise<readonly ClientDetailJson[]>;
  /**
   * Closes their connections, and ends their sessions if those are not to be kept.
   * @param principals only those who signed in as one of these; undefined: all.
   * @returns how many there were.
   */
  disconnect(clientId: string, session: 'keep' | 'discard', principals?: readonly string[]): Promise<number>;
}
