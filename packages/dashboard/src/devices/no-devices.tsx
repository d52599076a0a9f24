import { Button } from '@mantine/core';
import { useServices } from '../app/services.ts';
import { CommandBlock } from '../ui/command-block.tsx';
import { Icon } from '../ui/icons.tsx';
import { Logo } from '../ui/logo.tsx';
import { addDeviceCommands } from './device-commands.ts';
import styles from './no-devices.module.css';

/** What a new user types. */
export function NoDevices({ onAdd }: { readonly onAdd: (() => void) | undefined }) {
  const { session } = useServices();
  const commands = addDeviceCommands({ origin: location.origin }, session.key());
  return (
    <section className={styles.empty} data-testid="no-devices">
      <Logo size={40} />
      <h2>No devices yet</h2>
      <p>A device has an id and a token of its own. Add one here or from a shell; it shows up the moment it is there.</p>
      {onAdd !== undefined && (
        <Button leftSection={<Icon name="plus" />} onClick={onAdd}>
          Add your first device
        </Button>
      )}
      <div className={styles.commands}>
        {commands.map((command) => (
          <CommandBlock key={command.title} title={command.title} command={command.shown} copied={command.copied} />
        ))}
      </div>
    </section>
  );
}
