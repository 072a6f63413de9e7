"""The engine on smbprotocol's public interface."""
