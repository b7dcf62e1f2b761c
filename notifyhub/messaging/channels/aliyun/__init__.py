"""Alibaba Cloud SMS (Dysmsapi 2017-05-25), by signed requests without the vendor's SDK."""

from notifyhub.messaging.channels.aliyun.backend import AliyunSmsBackend

__all__ = ["AliyunSmsBackend"]
