import { ActionIcon, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { Icon } from '../ui/icons.tsx';
import { useTyped } from '../ui/use-typed.ts';
import styles from './device-search.module.css';
import { FilterFaultNote } from './filter-fault-note.tsx';
import type { FilterFault } from './filter-fault.ts';
import { FilterHelp } from './filter-help.tsx';

interface DeviceSearchProps {
  readonly text: string;
  readonly fault: FilterFault | undefined;
  readonly onSearch: (text: string) => void;
}

/** The beginning of an id, or a filter; what is wrong with it, and how to write one. */
export function DeviceSearch({ text, fault, onSearch }: DeviceSearchProps) {
  const field = useTyped(text, onSearch);
  const [helps, { toggle }] = useDisclosure(false);
  return (
    <div className={styles.search}>
      <TextInput
        type="search"
        aria-label="Search by the beginning of the id, or by a filter"
        placeholder='Id begins with…, or a filter: type = "boiler" and connected = true'
        leftSection={<Icon name="search" />}
        rightSection={
          <ActionIcon variant="subtle" color="petrol" aria-label="How to write a filter" aria-expanded={helps} onClick={toggle}>
            <Icon name="help" />
          </ActionIcon>
        }
        value={field.text}
        error={fault !== undefined}
        spellCheck={false}
        autoCapitalize="none"
        autoComplete="off"
        onChange={(event) => field.type(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') field.commit(field.text);
        }}
      />
      {fault !== undefined && <FilterFaultNote fault={fault} />}
      {helps && <FilterHelp onTake={field.commit} />}
    </div>
  );
}
