import { MAX_WAIT_MS } from '../../commands/command-calls.ts';
import { COMMAND_STATES, type Command, type CommandAnswer, type StateTime } from '../../commands/command.ts';
import { CommandStore, type CommandPage } from '../../commands/command-store.ts';
import { parseDeviceId } from '../../kernel/device-id.ts';
import { SelsynError } from '../../kernel/errors.ts';
import type { CommandEvent, StateEvent } from '../../state/state-events.ts';
import { scopedPage, type Page } from '../scoped-pages.ts';
import { findDevice, type DeviceRef } from './devices.ts';
import { absent, INNER_LIST, MUTATION_COST, ROOT_LIST, sizeOf } from './paging.ts';
import type { Builder } from './schema-builder.ts';
import { askedDevices, shownAnew, watchedArguments } from './watching.ts';

/** Commands to devices, and sending them. */
export function addCommands(builder: Builder, { device }: { readonly device: DeviceRef }): void {
  const state = builder.enumType('CommandState', {
    description: 'queued: it waits for the device; sent; delivered: the device has it; then one of the others for ever.',
    values: COMMAND_STATES,
  });

  const time = builder.objectRef<StateTime>('CommandStateTime').implement({
    description: 'When a command came into a state.',
    fields: (t) => ({
      state: t.field({ type: state, resolve: (each) => each.state }),
      at: t.expose('atMs', { type: 'Timestamp' }),
    }),
  });

  const answer = builder.objectRef<CommandAnswer>('CommandAnswer').implement({
    description: 'What a device said of a command.',
    fields: (t) => ({
      succeeded: t.boolean({ resolve: ({ outcome }) => outcome === 'succeeded' }),
      payload: t.field({ type: 'JSON', nullable: true, resolve: ({ payload }) => payload }),
      reason: t.exposeString('reason', { nullable: true, description: 'Its words on a failure.' }),
      at: t.expose('atMs', { type: 'Timestamp' }),
    }),
  });

  const command = builder.objectRef<Command>('Command').implement({
    description: 'A request to a device.',
    fields: (t) => ({
      id: t.exposeID('id'),
      deviceId: t.exposeID('device'),
      device: t.field({
        type: device,
        nullable: true,
        description: 'Null: the caller may not see it, or it was removed.',
        resolve: async (each, _, { selsyn: context }) => await findDevice(context, each.device),
      }),
      name: t.exposeString('name'),
      payload: t.field({ type: 'JSON', nullable: true, resolve: ({ payload }) => payload }),
      oneWay: t.exposeBoolean('oneWay', { description: 'It is done once the device has it: no answer is awaited.' }),
      state: t.field({ type: state, resolve: (each) => each.state }),
      history: t.field({ type: [time], description: 'In their order.', resolve: ({ history }) => [...history] }),
      progress: t.field({ type: 'JSON', nullable: true, resolve: ({ progress }) => progress?.payload }),
      answer: t.field({ type: answer, nullable: true, resolve: (each) => each.answer }),
      reason: t.exposeString('reason', { nullable: true, description: 'Why it has not succeeded.' }),
      createdBy: t.string({ resolve: ({ createdBy }) => createdBy.name }),
      createdAt: t.expose('createdAtMs', { type: 'Timestamp' }),
      expiresAt: t.expose('expiresAtMs', { type: 'Timestamp' }),
      finishedAt: t.expose('finishedAtMs', { type: 'Timestamp', nullable: true }),
    }),
  });

  const page = builder.objectRef<Page<Command>>('CommandPage').implement({
    description: 'A page of commands, newest first.',
    fields: (t) => ({
      items: t.field({ type: [command], resolve: ({ items }) => [...items] }),
      cursor: t.string({ nullable: true, description: 'For `after`; null: there are no more.', resolve: ({ cursor }) => cursor }),
    }),
  });

  builder.objectField(device, 'commands', (t) =>
    t.field({
      type: [command],
      nullable: true,
      description: 'The newest first. Null: the caller may not see them.',
      args: { first: t.arg.int({ description: `1 to ${INNER_LIST.max}; ${INNER_LIST.default} where it is not given.` }) },
      extensions: { defaultFirst: INNER_LIST.default },
      resolve: async ({ id, group }, { first }, { selsyn: context }) => {
        if (!context.may('commands:read', group)) return null;
        return [...(await context.loaders.commands.load({ device: id, first: sizeOf(first, INNER_LIST) }))];
      },
    }),
  );

  builder.queryField('commands', (t) =>
    t.field({
      type: page,
      nullable: true,
      description: 'Commands that all of the arguments hold for.',
      args: {
        device: t.arg.id(),
        states: t.arg({ type: [state] }),
        name: t.arg.string(),
        first: t.arg.int({ description: `1 to ${ROOT_LIST.max}; ${ROOT_LIST.default} where it is not given.` }),
        after: t.arg.string({ description: 'The cursor of the page before; the other arguments stay the same.' }),
      },
      extensions: { defaultFirst: ROOT_LIST.default, cost: 1 },
      resolve: async (_, args, { selsyn: context }): Promise<Page<Command>> => {
        const { devices, people, state: source } = context.services;
        const scope = context.scope('commands:read');
        const asked = {
          device: args.device === null || args.device === undefined ? undefined : parseDeviceId(args.device),
          states: absent(args.states),
          name: absent(args.name),
          limit: sizeOf(args.first, ROOT_LIST),
        };
        if (asked.device !== undefined) await devices.ensureKnown(asked.device, scope);
        const store = new CommandStore(source.reader);
        return await scopedPage<Command>({
          devices,
          scope,
          cursor: absent(args.after),
          sealed: people.sealedCursors,
          deviceOf: (each) => each.device,
          read: async (cursor): Promise<CommandPage> => await store.list({ ...asked, cursor }),
        });
      },
    }),
  );

  builder.mutationField('sendCommand', (t) =>
    t.field({
      type: command,
      nullable: true,
      description: 'Gives a device a command, which waits for it until it expires.',
      args: {
        device: t.arg.id({ required: true }),
        name: t.arg.string({ required: true }),
        payload: t.arg({ type: 'JSON' }),
        oneWay: t.arg.boolean({ description: 'It is done once the device has it: no answer is awaited.' }),
        expiresAt: t.arg({ type: 'Timestamp', description: 'By default a day after now.' }),
        waitMs: t.arg.int({
          description: `Wait for its end for so long at most, up to ${MAX_WAIT_MS}; by default the answer comes at once. Without expiresAt the command is not sent after that time either.`,
        }),
        idempotencyKey: t.arg.string({ description: 'The same key with the same command again sends nothing.' }),
      },
      extensions: { cost: MUTATION_COST },
      resolve: async (_, args, { selsyn: context }): Promise<Command> => {
        const scope = context.scope('commands:write');
        const { devices, state: source } = context.services;
        const device = parseDeviceId(args.device);
        const { group } = await devices.get(device, scope);
        const waitMs = args.waitMs ?? 0;
        if (waitMs < 0 || waitMs > MAX_WAIT_MS) throw invalid('waitMs', `must be 0 to ${MAX_WAIT_MS}`);
        const { command: sent } = await source.calls.call('sendCommand', {
          draft: {
            device,
            name: args.name,
            payload: args.payload === undefined ? undefined : JSON.stringify(args.payload),
            oneWay: absent(args.oneWay),
            expiresAtMs: absent(args.expiresAt),
            // Who has stopped waiting does not expect that it happens later.
            sendWithinMs: waitMs > 0 && absent(args.expiresAt) === undefined ? waitMs : undefined,
            idempotencyKey: absent(args.idempotencyKey),
          },
          doer: { actor: context.access.actor, group },
          waitMs,
        });
        return sent;
      },
    }),
  );

  builder.mutationField('cancelCommand', (t) =>
    t.field({
      type: command,
      nullable: true,
      description: 'Takes a command back that has not ended.',
      args: { device: t.arg.id({ required: true }), id: t.arg.id({ required: true }) },
      extensions: { cost: MUTATION_COST },
      resolve: async (_, { device: of, id }, { selsyn: context }): Promise<Command> => {
        const device = parseDeviceId(of);
        const { group } = await context.services.devices.get(device, context.scope('commands:write'));
        return await context.services.state.calls.call('cancelCommand', {
          device,
          id,
          doer: { actor: context.access.actor, group },
        });
      },
    }),
  );

  const change = builder.objectRef<CommandEvent>('CommandChange').implement({
    description: 'A command has come into a state.',
    fields: (t) => ({
      device: t.exposeID('device'),
      id: t.exposeID('command'),
      state: t.exposeString('state'),
      command: t.field({
        type: command,
        nullable: true,
        description: 'As it is now, which may be later than this change.',
        resolve: async ({ device: of, command: id }, _, { selsyn: { services } }) =>
          await new CommandStore(services.state.reader).find(of, id),
      }),
    }),
  });

  builder.subscriptionField('commandChanged', (t) =>
    t.field({
      type: change,
      description: 'States of commands to devices that all of the arguments hold for.',
      args: { ...watchedArguments(t), id: t.arg.id({ description: 'Only this command.' }) },
      extensions: { cost: 10 },
      subscribe: async (_, { id, ...asked }, { selsyn: context }) =>
        await context.subscriptions.ofState(context, askedDevices(asked), {
          permission: 'commands:read',
          isWanted: (event: StateEvent): event is CommandEvent =>
            event.kind === 'command' && (id === null || id === undefined || event.command === id),
        }),
      resolve: (item, _, { selsyn: context }) => shownAnew(item, context),
    }),
  );
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', `${field}: ${message}`, { details: { field } });
}
