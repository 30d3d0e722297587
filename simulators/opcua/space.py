"""The address space of one endpoint: its tags at their NodeIds, arranged as the servers of real controllers do.

    Objects
      DeviceSet                                 DI, OPC 10000-100
        r201-controller         DeviceType      Manufacturer, Model, SerialNumber …
          ParameterSet                          every tag of the controller
          R-201                 UnitType        the ISA-88 unit
            Temperature         FunctionalGroupType
              TT-201A           AnalogItemType  EURange, EngineeringUnits …

Of DI there is what is used, under its own NodeIds; of its types the names alone. A tag in namespace 0 is the server's
own node (its clock, its status) and is left as it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from asyncua import ua

from config.model import OpcUaDevice, OpcUaEndpoint
from simulators.opcua.groups import description, tree_of
from simulators.opcua.nodes import DI_URI, STRUCTURE_URI, Namespaces, standard
from simulators.opcua.values import Variable
from simulators.opcua.variables import add_tag
from simulators.opcua.writing import HAS_COMPONENT, ORGANIZES, Writer, text
from simulators.source import SimulationError

_OBJECTS, _BASE_OBJECT_TYPE, _FOLDER_TYPE = standard(85), standard(58), standard(61)
_TOPOLOGY_ELEMENT_TYPE, _COMPONENT_TYPE, _DEVICE_TYPE, _GROUP_TYPE, _DEVICE_SET = 1001, 15063, 1002, 1005, 5001
"""NodeIds of OPC 10000-100."""
MANUFACTURER = "Reactorwatch"


def product_version() -> str:
    """Of this program."""
    try:
        return version("reactorwatch")
    except PackageNotFoundError:
        return "0"


class Space:
    """Writes `endpoint`'s nodes. Lean: the tags and their tree, without properties, for farms."""

    def __init__(self, writer: Writer, spaces: Namespaces, *, lean: bool) -> None:
        self._writer, self._lean = writer, lean
        self._di, self._own = ua.Int16(spaces.index(DI_URI)), ua.Int16(spaces.index(STRUCTURE_URI))
        self._unit_type = ua.NodeId()
        self._device_set = ua.NodeId()

    def build(self, endpoint: OpcUaEndpoint, variables: Iterable[Variable]) -> None:
        """All of it. Raises SimulationError where two tags have one NodeId."""
        served = tuple(variables)
        _no_doubles(endpoint, served)
        self._types()
        for device in endpoint.devices:
            self._device(device, [variable for variable in served if variable.device is device])

    def _types(self) -> None:
        add = self._writer.add_type
        topology = add(_BASE_OBJECT_TYPE, self._di_name("TopologyElementType"), self._di_id(_TOPOLOGY_ELEMENT_TYPE))
        component = add(topology, self._di_name("ComponentType"), self._di_id(_COMPONENT_TYPE))
        add(component, self._di_name("DeviceType"), self._di_id(_DEVICE_TYPE))
        add(_FOLDER_TYPE, self._di_name("FunctionalGroupType"), self._di_id(_GROUP_TYPE))
        self._unit_type = add(topology, self._name("UnitType"), self._writer.new_id())
        self._device_set = self._writer.add_object(
            _OBJECTS, self._di_name("DeviceSet"), node_id=self._di_id(_DEVICE_SET), reference=HAS_COMPONENT,
            description="Contains all instances of devices",
        )  # fmt: skip

    def _device(self, device: OpcUaDevice, variables: list[Variable]) -> None:
        writer = self._writer
        node = writer.add_object(
            self._device_set, self._name(device.name), self._di_id(_DEVICE_TYPE), description="A simulated controller"
        )
        self._identify(node, device)
        parameters = writer.add_object(node, self._di_name("ParameterSet"), description="Flat list of Parameters")
        by_name = {variable.tag.name: variable for variable in variables}
        for variable in variables:
            add_tag(writer, parameters, variable, description(variable.tag, device.unit_of(variable.tag)), lean=self._lean)
        for unit, groups in tree_of(device, (variable.tag for variable in variables)).items():
            unit_node = writer.add_object(node, self._name(unit), self._unit_type)
            for group, tags in groups.items():
                group_node = writer.add_object(unit_node, self._name(group), self._di_id(_GROUP_TYPE))
                for tag in tags:
                    writer.refer(group_node, by_name[tag.name].node_id, ORGANIZES)

    def _identify(self, node: ua.NodeId, device: OpcUaDevice) -> None:
        """The properties of DI's DeviceType, and what a simulated controller can honestly say there."""
        revision = product_version()
        serial = f"SIM-{zlib.crc32(device.name.encode()):08X}"
        texts = {"Manufacturer": MANUFACTURER, "Model": "Simulated process controller"}
        strings = {
            "ManufacturerUri": "urn:reactorwatch",
            "ProductCode": "RW-SIM",
            "DeviceClass": "ProcessController",
            "SerialNumber": serial,
            "ProductInstanceUri": f"urn:reactorwatch:simulator:{serial}",
            "HardwareRevision": "none",
            "SoftwareRevision": revision,
            "DeviceRevision": revision,
            "DeviceManual": "docs/reference/simulated-opcua.md",
        }
        add = self._writer.add_property
        for name, value in texts.items():
            add(node, self._di_name(name), ua.Variant(text(value)), standard(21))
        for name, value in strings.items():
            add(node, self._di_name(name), ua.Variant(value, ua.VariantType.String), standard(12))
        add(node, self._di_name("RevisionCounter"), ua.Variant(-1, ua.VariantType.Int32), standard(6))

    def _name(self, name: str) -> ua.QualifiedName:
        return ua.QualifiedName(name, self._own)

    def _di_name(self, name: str) -> ua.QualifiedName:
        return ua.QualifiedName(name, self._di)

    def _di_id(self, number: int) -> ua.NodeId:
        return ua.NodeId(ua.Int32(number), self._di)


def _no_doubles(endpoint: OpcUaEndpoint, variables: Iterable[Variable]) -> None:
    owners: dict[ua.NodeId, str] = {}
    for variable in variables:
        node_id, tag = variable.node_id, variable.tag
        if node_id in owners:
            raise SimulationError(f"endpoint {endpoint.name}: {owners[node_id]} and {tag.name} have one NodeId, {tag.address}")
        owners[node_id] = tag.name
