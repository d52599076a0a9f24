/** All that can be allowed, by the noun that it is about. A route asks for one of these. */
export const PERMISSIONS = [
  'devices:read',
  'devices:write',
  'devices:delete',
  'telemetry:read',
  'telemetry:write',
  'shadows:read',
  'shadows:write',
  'commands:read',
  'commands:write',
  'jobs:read',
  'jobs:write',
  'messages:read',
  'messages:write',
  'clients:read',
  'clients:write',
  'certificates:read',
  'certificates:write',
  'provisioning:read',
  'provisioning:write',
  'policies:read',
  'policies:write',
  'types:read',
  'types:write',
  'groups:read',
  'groups:write',
  'fleets:read',
  'fleets:write',
  'forwarders:read',
  'forwarders:write',
  'storage:read',
  'storage:write',
  'users:read',
  'users:write',
  'keys:read',
  'keys:write',
  'audit:read',
  'checks:read',
  'checks:write',
  'secrets:write',
  'server:read',
  'server:write',
] as const;

export type Permission = (typeof PERMISSIONS)[number];

const KNOWN: ReadonlySet<string> = new Set(PERMISSIONS);

export function isPermission(text: string): text is Permission {
  return KNOWN.has(text);
}

const VIEWER: readonly Permission[] = [
  'devices:read',
  'telemetry:read',
  'shadows:read',
  'commands:read',
  'jobs:read',
  'messages:read',
  'clients:read',
  'certificates:read',
  'provisioning:read',
  'policies:read',
  'types:read',
  'groups:read',
  'fleets:read',
  'forwarders:read',
  'storage:read',
  'checks:read',
  'server:read',
];

const OPERATOR: readonly Permission[] = [
  ...VIEWER,
  'devices:write',
  'shadows:write',
  'commands:write',
  'jobs:write',
  'messages:write',
  'clients:write',
  'certificates:write',
  'fleets:write',
  'checks:write',
  'audit:read',
];

const ENGINEER: readonly Permission[] = [
  ...OPERATOR,
  'devices:delete',
  'telemetry:write',
  'provisioning:write',
  'policies:write',
  'types:write',
  'groups:write',
  'forwarders:write',
  'storage:write',
];

/**
 * The roles that are always there. Each one may all that the one before it may.
 *
 * viewer sees; operator keeps a fleet running; engineer also decides how devices come in and what they may do;
 * administrator also decides about people, keys and the server.
 */
export const BUILT_IN_ROLES = {
  viewer: new Set(VIEWER),
  operator: new Set(OPERATOR),
  engineer: new Set(ENGINEER),
  administrator: new Set(PERMISSIONS),
} as const satisfies Record<string, ReadonlySet<Permission>>;

export type BuiltInRole = keyof typeof BUILT_IN_ROLES;

export function isBuiltInRole(name: string): name is BuiltInRole {
  return Object.hasOwn(BUILT_IN_ROLES, name);
}
