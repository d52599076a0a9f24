import { useSyncExternalStore } from 'react';
import { useServices } from '../app/services.ts';
import { CommandBlock } from '../ui/command-block.tsx';
import { deviceCommands } from './device-commands.ts';
import styles from './device-commands-list.module.css';

const USUAL_MQTT_PORT = 1883;
const TOKEN_PLACEHOLDER = 'TOKEN';

/** The commands for one device; without its token there is a placeholder for it. */
export function DeviceCommandsList({ id, token = TOKEN_PLACEHOLDER }: { readonly id: string; readonly token?: string }) {
  const { session, stats } = useServices();
  const mqttPort = useSyncExternalStore(stats.subscribe, () => stats.latest()?.mqttPort ?? USUAL_MQTT_PORT);
  const commands = deviceCommands(
    { origin: location.origin, hostname: location.hostname, mqttPort },
    { id, token },
    session.key(),
  );
  return (
    <div className={styles.list}>
      {commands.map((command) => (
        <CommandBlock key={command.title} title={command.title} command={command.shown} copied={command.copied} />
      ))}
    </div>
  );
}
