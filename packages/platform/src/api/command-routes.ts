import type { FastifyReply } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  COMMAND_NAME_PATTERN,
  COMMAND_STATES,
  isFinished,
  KEY_PATTERN,
  type Command,
  type CommandDraft,
  type CommandState,
} from '../commands/command.ts';
import { MAX_WAIT_MS } from '../commands/command-calls.ts';
import { CommandStore, noCommand, type CommandQuery } from '../commands/command-store.ts';
import type { Doer } from '../commands/command-work.ts';
import { parseDeviceId, type DeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { parseTime } from '../kernel/time-text.ts';
import { noDevice } from '../registry/device-store.ts';
import { scopeIncludes } from '../registry/scope.ts';
import { access, type Access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { commandSchema, commandToJson } from './command-json.ts';
import { cursorParameter, deviceParams, nameList, parseField, wholeNumber } from './parameters.ts';
import { invalidRequest } from './problem.ts';
import { problems } from './route-responses.ts';
import { scopedPage } from './scoped-pages.ts';

const DEFAULT_TIMEOUT_MS = 30_000;
/** Longer than that no socket stays open without a byte. */
const MAX_TIMEOUT_MS = 100_000;
/** The stop of the server waits no longer for the thread of the state to say that nobody waits. */
const STOP_WAITING_MS = 1_000;

const commandName = z.string().regex(COMMAND_NAME_PATTERN, 'must be 1 to 128 of A-Z a-z 0-9 : _ . -');

const sendSchema = z.strictObject({
  name: commandName,
  payload: z.unknown().optional().describe('Any JSON of at most 32 KB.'),
  timeoutMs: z
    .number()
    .int()
    .min(1)
    .max(MAX_TIMEOUT_MS)
    .optional()
    .describe('The answer is waited for so long. Without `expiresAt` the command is not sent later than that either.'),
  expiresAt: z
    .union([z.number().int(), z.string().max(64)])
    .optional()
    .describe('Until then it is sent, and an answer counts: ms since 1970, ISO 8601, or `now+1h`. Absent: a day from now.'),
  wait: z
    .boolean()
    .optional()
    .describe(
      'Answer with the end of the command (200, or 504 when the time is over) instead of at once (202). Absent: with `timeoutMs`.',
    ),
  oneWay: z.boolean().optional().describe('No answer is awaited: it has succeeded once the device has acknowledged it.'),
});

const idempotencyHeader = z.looseObject({
  'idempotency-key': z
    .string()
    .regex(KEY_PATTERN, 'must be 1 to 128 printable characters without blanks')
    .optional()
    .describe('The same request with the same key again creates nothing: it is answered with the first command.'),
});

const filterFields = {
  state: nameList({ maxItems: COMMAND_STATES.length, maxLength: 16 }).optional().describe('Only in one of these states.'),
  name: commandName.optional().describe('Only commands of this name.'),
  from: z.string().max(64).optional().describe('Created at this time or later: ms since 1970, ISO 8601, or `now-1h`.'),
  to: z.string().max(64).optional().describe('Created before this time.'),
  limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Commands in a page.'),
  cursor: cursorParameter,
};
const listSchema = z.strictObject(filterFields);

const pageSchema = z
  .object({ items: z.array(commandSchema), cursor: z.string().optional().describe('Present when there are more.') })
  .describe('Newest first.');

const commandParams = deviceParams.extend({
  command: z.string().meta({ description: 'The id of the command.', pattern: '^[0-9A-Z]{26}$' }),
});

type Needs = Pick<ApiDependencies, 'devices' | 'state' | 'people' | 'clock'>;

/** Commands to devices: giving, finding, cancelling. */
export function commandRoutes({ devices, state, people, clock }: Needs): FastifyPluginAsyncZod {
  const store = new CommandStore(state.reader);
  let closing = false;

  /** A device that the caller sees, and its group. @throws SelsynError `device.invalid-id`, `device.not-found` */
  async function seen(id: string, { scope }: Access): Promise<{ readonly device: DeviceId; readonly group: string }> {
    const device = parseDeviceId(id);
    const group = (await devices.groupOf([device])).get(device);
    if (group === undefined || !scopeIncludes(scope, group)) throw noDevice(device);
    return { device, group };
  }

  async function send(draft: CommandDraft, doer: Doer, waitMs: number, reply: FastifyReply): Promise<Command> {
    const untilMs = clock.monotonicMs() + waitMs;
    let { command } = await state.calls.call('sendCommand', { draft, doer, waitMs: Math.min(waitMs, MAX_WAIT_MS) });
    // Whoever is gone waits no longer; the command is given all the same.
    const waits = (leftMs: number): boolean => leftMs > 0 && !isFinished(command) && !reply.raw.destroyed && !closing;
    for (let leftMs = untilMs - clock.monotonicMs(); waits(leftMs);) {
      const { device, id } = command;
      command = await state.calls.call('awaitCommand', { device, id, waitMs: Math.min(leftMs, MAX_WAIT_MS) });
      leftMs = untilMs - clock.monotonicMs();
    }
    return command;
  }

  return async (app) => {
    // The end of the server does not wait for the answers of devices: the commands go on after the next start.
    app.addHook('preClose', async () => {
      closing = true;
      await state.calls.call('stopWaiting', null, STOP_WAITING_MS).catch(() => undefined);
    });
    app.post(
      '/devices/:id/commands',
      {
        config: { permission: 'commands:write' },
        schema: {
          operationId: 'sendCommand',
          summary: 'Give a device a command',
          description:
            'It goes out when the device listens, at least once, after those before it. Without `wait` the answer comes at once (202), with it when the command has ended (200).',
          tags: ['commands'],
          params: deviceParams,
          headers: idempotencyHeader,
          body: sendSchema,
          response: {
            200: commandSchema.describe('The command, which has ended.'),
            202: commandSchema.describe('The command, which is under way.'),
            ...problems(
              'device.invalid-id',
              'device.not-found',
              'command.queue-full',
              'command.key-used',
              'command.unanswered',
              'state.busy',
              'thread.timeout',
              'request.too-large',
              'request.unsupported-media-type',
            ),
          },
        },
      },
      async (request, reply) => {
        const caller = access(request);
        const { device, group } = await seen(request.params.id, caller);
        const { timeoutMs, wait = timeoutMs !== undefined } = request.body;
        const draft = draftOf(device, request.body, request.headers['idempotency-key'], clock.now());
        const waitMs = wait ? (timeoutMs ?? DEFAULT_TIMEOUT_MS) : 0;
        const command = await send(draft, { actor: caller.actor, group }, waitMs, reply);
        reply.header('Location', `/api/v1/devices/${encodeURIComponent(device)}/commands/${command.id}`);
        if (wait && (!isFinished(command) || command.state === 'expired')) throw unanswered(command, waitMs);
        return await reply.code(isFinished(command) ? 200 : 202).send(commandToJson(command));
      },
    );

    app.get(
      '/devices/:id/commands',
      {
        config: { permission: 'commands:read' },
        schema: {
          operationId: 'listDeviceCommands',
          summary: 'List the commands of a device',
          tags: ['commands'],
          params: deviceParams,
          querystring: listSchema,
          response: { 200: pageSchema, ...problems('device.invalid-id', 'device.not-found') },
        },
      },
      async (request) => {
        const { device } = await seen(request.params.id, access(request));
        const { cursor, ...query } = request.query;
        return shownPage(await store.list({ device, cursor, ...queryOf(query, clock.now()) }));
      },
    );

    app.get(
      '/devices/:id/commands/:command',
      {
        config: { permission: 'commands:read' },
        schema: {
          operationId: 'getCommand',
          summary: 'Show a command',
          tags: ['commands'],
          params: commandParams,
          querystring: z.strictObject({}),
          response: { 200: commandSchema, ...problems('device.invalid-id', 'device.not-found', 'command.not-found') },
        },
      },
      async (request) => {
        const { device } = await seen(request.params.id, access(request));
        return commandToJson(await store.get(device, request.params.command));
      },
    );

    app.post(
      '/devices/:id/commands/:command/cancel',
      {
        config: { permission: 'commands:write' },
        schema: {
          operationId: 'cancelCommand',
          summary: 'Cancel a command',
          description:
            'It is not sent any more. A device that has it already is not stopped; its answer is kept and does not count.',
          tags: ['commands'],
          params: commandParams,
          querystring: z.strictObject({}),
          response: {
            200: commandSchema,
            ...problems(
              'device.invalid-id',
              'device.not-found',
              'command.not-found',
              'command.finished',
              'state.busy',
              'thread.timeout',
            ),
          },
        },
      },
      async (request) => {
        const caller = access(request);
        const { device, group } = await seen(request.params.id, caller);
        const id = request.params.command;
        if (id.length > 128) throw noCommand(device, id.slice(0, 128));
        const command = await state.calls.call('cancelCommand', { device, id, doer: { actor: caller.actor, group } });
        return commandToJson(command);
      },
    );

    app.get(
      '/commands',
      {
        config: { permission: 'commands:read' },
        schema: {
          operationId: 'listCommands',
          summary: 'List the commands of all devices',
          description: 'A page may hold fewer than asked for although more come, where the caller does not see all devices.',
          tags: ['commands'],
          querystring: listSchema,
          response: { 200: pageSchema, ...problems() },
        },
      },
      async (request) => {
        const { cursor: given, ...query } = request.query;
        const asked = queryOf(query, clock.now());
        const page = await scopedPage<Command>({
          devices,
          scope: access(request).scope,
          cursor: given,
          sealed: people.sealedCursors,
          deviceOf: ({ device }) => device,
          read: async (cursor) => await store.list({ ...asked, cursor }),
        });
        return shownPage(page);
      },
    );
  };
}

function draftOf(device: DeviceId, body: z.output<typeof sendSchema>, key: string | undefined, nowMs: number): CommandDraft {
  const { name, payload, timeoutMs, expiresAt, oneWay } = body;
  const text = payload === undefined ? undefined : JSON.stringify(payload);
  const expiresAtMs =
    expiresAt === undefined ? undefined : parseField('body', 'expiresAt', () => parseTime(String(expiresAt), nowMs));
  if (expiresAtMs !== undefined && expiresAtMs <= nowMs)
    throw invalidRequest([{ in: 'body', field: 'expiresAt', message: 'must be in the future' }]);
  return {
    device,
    name,
    payload: text,
    oneWay,
    expiresAtMs,
    ...(typeof expiresAt === 'string' && { expiresAsked: expiresAt }),
    // Nobody waits for it then: it would only come as a surprise.
    sendWithinMs: expiresAt === undefined ? timeoutMs : undefined,
    idempotencyKey: key,
  };
}

function queryOf(
  { state, name, from, to, limit }: Omit<z.output<typeof listSchema>, 'cursor'>,
  nowMs: number,
): Omit<CommandQuery, 'device' | 'cursor'> {
  const known: readonly string[] = COMMAND_STATES;
  const unknown = state?.find((each) => !known.includes(each));
  if (unknown !== undefined)
    throw invalidRequest([{ in: 'query', field: 'state', message: `"${unknown}" is none of ${COMMAND_STATES.join(', ')}` }]);
  return {
    limit,
    ...(state !== undefined && state.length > 0 && { states: state as CommandState[] }),
    ...(name !== undefined && { name }),
    ...(from !== undefined && { fromMs: parseField('query', 'from', () => parseTime(from, nowMs)) }),
    ...(to !== undefined && { toMs: parseField('query', 'to', () => parseTime(to, nowMs)) }),
  };
}

function shownPage({ items, cursor }: { readonly items: readonly Command[]; readonly cursor?: string | undefined }) {
  return { items: items.map(commandToJson), ...(cursor !== undefined && { cursor }) };
}

function unanswered({ device, id, state }: Command, waitMs: number): SelsynError {
  const what = {
    queued: 'it does not listen',
    sent: 'it was sent to it',
    delivered: 'it has it',
    expired: 'it is not sent any more',
  }[state as string];
  return new SelsynError(
    'command.unanswered',
    `${device} has not answered ${id} within ${waitMs} ms${what === undefined ? '' : `: ${what}`}`,
    { details: { device, command: id, state } },
  );
}
